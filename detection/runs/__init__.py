"""What the run folders of all commands share: whose folder it is, and how records are written."""
