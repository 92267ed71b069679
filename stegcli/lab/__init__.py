"""The lab: what hiding is worth, measured on re-read files against everything a user could pick instead.

Nothing that hides or reveals imports this room.
"""
