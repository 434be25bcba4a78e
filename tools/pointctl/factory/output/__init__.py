"""What a job leaves: labels, sheets of labels, reports."""
