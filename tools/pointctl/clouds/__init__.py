"""Vendors' clouds: a folder for each system of a vendor, with the same files inside.

wire is what crosses the network, errors has an exception for each code, client asks the
cloud, and sandbox/ stands in for it. kit/ has what they share.
"""
