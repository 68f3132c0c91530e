"""REST under /api/v1, the browser's sign-in forms, health and metrics."""
