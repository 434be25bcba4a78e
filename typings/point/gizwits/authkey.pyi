from typing import Final

NAME: Final = "pointaccess-reference-1"

def derive(product_secret: str, product_key: str, mac: str) -> str: ...
