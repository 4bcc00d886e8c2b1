"""Where the test models come from: one module for each origin, each with a `RECIPES` table from name to function."""
