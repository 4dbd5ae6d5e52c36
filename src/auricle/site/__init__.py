"""The Django project: REST API, pages, admin."""
