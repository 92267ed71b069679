"""The lab: measures hiding on re-read files and compares it with everything a user could choose instead.

Nothing that hides or reveals imports this package.
"""
