"""Files: other people's bytes, opened inside roots, unpacked within bounds, given out in blocks of lines.

roots.py     which paths may be opened, and the opening itself
kind.py      what a file holds, by its first bytes
packing.py   gzip, zstd, bzip2 and xz, with a bound on what a small file may unpack to
encoding.py  text told from binary; UTF-16 as a stream of UTF-8
holes.py     runs of NULs that belong to no line
seeking.py   parts of a packed file without unpacking all before them
text.py      one file or stream as blocks for `scan/`, and any part of it again
tar.py       which files a tar archive holds, and where
archive.py   those files as texts of their own
rotation.py  which files are pieces of one log, and their order
finding.py   names, globs and folders → the files they mean
"""
