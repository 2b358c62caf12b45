"""What the pages are worth: pictures of all of them, axe's findings, Lighthouse's marks."""
