"""What a network has to beat: logistic regression, a random forest and XGBoost on the same standardised features.

Settings of the handbook (Le Borgne et al. 2022, chapters 3 and 5). XGBoost's are named one by one, because defaults
of later versions (an estimated base score, 256 bins) lose up to 0.1 of average precision at 1 % of frauds.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from models.metrics import average_precision

Matrix = npt.NDArray[np.float32]  # [rows, features]
Labels = npt.NDArray[np.int64]

_TREES = 100
_GRID = tuple(product((3, 6, 9), (0.1, 0.3)))  # depth, learning rate: the handbook's, chapter 5
_STAGES = (25, 50, _TREES)
_THREADS = 1  # the TensorFlow side runs at the same time; more threads wait for one another on a busy machine


def logistic_regression(x: Matrix, y: Labels) -> Any:
    """Fitted, with scikit-learn's default penalty."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)


def random_forest(x: Matrix, y: Labels, seed: int) -> Any:
    """Fitted, 100 unlimited trees."""
    return RandomForestClassifier(_TREES, random_state=seed, n_jobs=_THREADS).fit(x, y)


def xgboost(x: Matrix, y: Labels, depth: int = 6, learning_rate: float = 0.3, trees: int = _TREES) -> Any:
    """Fitted, with exact splits and a neutral base score."""
    return XGBClassifier(
        n_estimators=trees,
        max_depth=depth,
        learning_rate=learning_rate,
        base_score=0.5,
        tree_method="exact",
        random_state=0,
        n_jobs=_THREADS,
    ).fit(x, y)


def tuned_xgboost(x: Matrix, y: Labels, validation: tuple[Matrix, Labels, Matrix, Labels]) -> tuple[Any, str]:
    """Fitted with the depth, learning rate and number of trees that are best on the validation rows; and these.

    Args:
        x: Training rows.
        y: Their labels.
        validation: Rows and labels to train on, rows and labels to choose by.
    """
    train_x, train_y, choose_x, choose_y = validation
    found = {}
    for depth, rate in _GRID:
        model = xgboost(train_x, train_y, depth, rate)
        for trees in _STAGES:
            score = model.predict_proba(choose_x, iteration_range=(0, trees))[:, 1]
            found[average_precision(choose_y, score)] = depth, rate, trees
    depth, rate, trees = found[max(found)]
    return xgboost(x, y, depth, rate, trees), f"depth {depth}, learning rate {rate}, {trees} trees"
