from .access import PointAccess as PointAccess

__version__: str
