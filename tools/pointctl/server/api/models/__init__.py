"""The JSON bodies of the API, one file for each resource, as OpenAPI describes them."""
