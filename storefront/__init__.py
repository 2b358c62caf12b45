"""The storefront: pages, JSON API, ops console, wiring, command line. Nobody imports it."""
