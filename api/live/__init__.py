"""A paper fund that lives while one looks on."""
