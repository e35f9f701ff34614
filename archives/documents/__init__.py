"""What an archive says, file by file."""
