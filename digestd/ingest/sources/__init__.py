"""Sources: addresses from which digest files are fetched into the inbox, where every file takes the same way.

`plan` says where and when, and is pure; `fetch` is one conversation with a server; `stage` does what is due.
"""
