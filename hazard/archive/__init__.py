"""What a run leaves behind, by its written layout (docs/run_folder.md): writers and readers."""
