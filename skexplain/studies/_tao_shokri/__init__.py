"""Studies of Tao & Shokri, Machine Learning from Explanations."""

STUDIES = ()
