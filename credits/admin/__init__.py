"""The admin pages of credits; importing this registers them."""
