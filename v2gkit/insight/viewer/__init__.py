"""The viewer: records of traces and captures as view lines, and the page that shows them, as one file or live."""
