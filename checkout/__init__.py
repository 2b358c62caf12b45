"""The counter: offers and prices, orders, payments, contracts, over stock, identity and the parcel."""
