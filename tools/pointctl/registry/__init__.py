"""The registry: the products and devices, and the credentials issued to them."""
