"""What CourseCove claims about speed, re-runnable: ratios against floors that are measured in the same run.

``make bench`` starts everything it needs and prints one table; see README.md in this folder.
"""
