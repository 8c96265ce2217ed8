"""The bytes of a scrape: the latest snapshots and the page made of them."""
