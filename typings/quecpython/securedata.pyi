"""SecureData, as some documentation writes it."""

from SecureData import Read as Read
from SecureData import Store as Store
