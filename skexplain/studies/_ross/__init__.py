"""Studies of Ross, Hughes & Doshi-Velez, Right for the Right Reasons."""

STUDIES = ()
