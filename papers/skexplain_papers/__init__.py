"""Studies that repeat the experiments of the papers, and of questions that these leave open.

They are installed beside skexplain, whose command lists and runs them: ``skexplain study list``.
"""

from . import heo, ours, ross, tao_shokri

__version__ = "0.1.0"

__all__ = ["STUDIES"]

#: All studies, in the order of the papers, then our own.
STUDIES = (*tao_shokri.STUDIES, *ross.STUDIES, *heo.STUDIES, *ours.STUDIES)
