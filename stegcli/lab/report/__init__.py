"""Reports of measurements: tables, charts and pages."""
