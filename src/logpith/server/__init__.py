"""Servers: the same answers for who is not at this terminal. Only here is code async; it crosses over to the
blocking tools in one place per server.
"""
