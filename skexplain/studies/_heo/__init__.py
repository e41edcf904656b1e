"""Studies of Heo, Piratla, Wicker & Weller, Use Perturbations when Learning from Explanations."""

STUDIES = ()
