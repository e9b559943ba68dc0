"""The admin pages of trackers; importing this registers them."""
