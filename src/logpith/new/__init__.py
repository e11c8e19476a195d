"""New: a project with a server of MCP that logs, made of a template and somebody's answers.

answers.py    what was answered: files, options
project.py    answers → files in a folder
template/     the questions, and the project with blanks; copier fills them in
"""
