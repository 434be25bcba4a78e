"""The results of a job: labels, sheets of labels, reports and certificates."""
