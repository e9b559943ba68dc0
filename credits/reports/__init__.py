"""The credit reports (SPEC §4): each declares its columns once and is written to files."""
