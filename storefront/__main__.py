"""`python -m storefront` is the command line."""

from storefront.cli import main

main()
