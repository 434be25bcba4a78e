"""Where the sandboxes of Gizwits' systems meet: one database, and one process.

A device that preauth authorised logs in at devices, so both read the same tables.
"""
