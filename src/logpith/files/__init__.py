"""Files: other people's bytes, opened inside roots, unpacked within bounds, given out in blocks of lines.

roots.py     which paths may be opened, and the opening itself
packing.py   gzip and zstd, with a bound on what a small file may unpack to
text.py      one file or stream as blocks for `scan/`, and any part of it again
finding.py   names, globs and folders → the files they mean
"""
