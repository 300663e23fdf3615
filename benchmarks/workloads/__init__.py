"""What is measured, one module per part of the house; each gives claims to the report."""
