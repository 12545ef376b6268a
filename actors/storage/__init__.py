"""Where actors keep what must outlive them."""
