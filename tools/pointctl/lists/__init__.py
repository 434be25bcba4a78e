"""Lists that people bring: CSV files, workbooks and text."""
