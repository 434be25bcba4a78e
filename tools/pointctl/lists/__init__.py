"""Read and write the lists that people keep: .xlsx, CSV and text."""
