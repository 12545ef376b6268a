"""The command line ``engage``: one file a command."""
