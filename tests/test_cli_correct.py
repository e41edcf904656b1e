"""Check ``skexplain correct``: from a model file to a model file."""

import joblib
import numpy as np
import pytest
import torch
from _corrections import MASK, D, make_data
from torch import nn

from skexplain import ERMClassifier, _cli, load, save
from skexplain.correction import correct


@pytest.fixture
def files(tmp_path):
    X, y = make_data(300)
    model = ERMClassifier(max_epochs=10, random_state=0).fit(X, y)
    save(model, tmp_path / "model.safetensors")
    np.savez(tmp_path / "data.npz", X=X, y=y, mask=MASK)
    return tmp_path, model, X, y


def run(*arguments):
    return _cli.main(["correct", *map(str, arguments)])


@pytest.mark.parametrize("method", ["auto", "project", "refit_head"])
def test_a_model_file_becomes_a_model_file(files, method, capsys):
    folder, model, X, y = files
    output = folder / "corrected.safetensors"
    arguments = ["--output", output, "--method", method, "--seen", "--seed", 3]
    assert run(folder / "model.safetensors", folder / "data.npz", *arguments) == 0
    expected = correct(model, X, MASK, y, method=method, seen=True, random_state=3)
    assert capsys.readouterr().out == f"{expected.report_}\n"
    found = load(output)
    assert type(found) is ERMClassifier
    np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    assert np.abs(found.predict_proba(X) - model.predict_proba(X)).max() > 0.1
    np.testing.assert_array_equal(
        load(folder / "model.safetensors").predict_proba(X), model.predict_proba(X)
    )


def test_a_pickle_holds_the_report_and_the_way_back(files, capsys):
    folder, model, X, _ = files
    joblib.dump(model, folder / "model.joblib")
    arguments = [folder / "data.npz", "--output", folder / "corrected.joblib", "--layer", "auto"]
    assert run(folder / "model.joblib", *arguments) == 1
    assert "pass --allow-pickle for files of your own" in capsys.readouterr().err
    cache = folder / "features"
    assert run(folder / "model.joblib", *arguments, "--allow-pickle", "--cache", cache) == 0
    clf = joblib.load(folder / "corrected.joblib")
    assert capsys.readouterr().out == f"{clf.report_}\n"
    assert list(cache.rglob("*.npy"))
    with torch.no_grad():
        logits = clf.undo()(torch.from_numpy(X.astype(np.float32)))
    np.testing.assert_allclose(logits.softmax(1), model.predict_proba(X), atol=1e-6)


def test_a_model_that_is_best_left_alone_is_copied(files, capsys):
    folder, model, X, y = files
    X = np.where(MASK, 0.0, X)  # nothing moves
    np.savez(folder / "data.npz", X=X, y=y, mask=MASK)
    arguments = [folder / "data.npz", "--output", folder / "same.safetensors"]
    arguments += ["--method", "project"]
    assert run(folder / "model.safetensors", *arguments) == 0
    assert "same.safetensors holds the model as it was" in capsys.readouterr().out
    again = load(folder / "same.safetensors")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_errors_say_what_is_wrong(files, capsys):
    folder, _, X, y = files
    with pytest.raises(SystemExit):
        run(folder / "model.safetensors", folder / "data.npz", "--output", "model.pt")
    assert "must end in .safetensors or .joblib" in capsys.readouterr().err
    mask = np.tile(MASK, (300, 1))
    mask[::2] = False
    np.savez(folder / "data.npz", X=X, y=y, mask=mask)
    arguments = ["--method", "reactive", "--n-directions", 1, "--output", folder / "c.safetensors"]
    assert run(folder / "model.safetensors", folder / "data.npz", *arguments) == 1
    assert "method must be no 'reactive' one" in capsys.readouterr().err
    assert not (folder / "c.safetensors").exists()
    np.savez(folder / "data.npz", X=X, y=y)
    assert run(folder / "model.safetensors", folder / "data.npz", *arguments) == 1
    assert "holds no mask" in capsys.readouterr().err


@pytest.mark.parametrize("layer", [None, "0", "2"])
@pytest.mark.parametrize("method", ["project", "oblique"])
def test_a_projection_in_the_weights_computes_the_same(layer, method):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)),
    )
    X, y = rng.normal(size=(40, 2, 6, 6)).astype(np.float32), np.arange(40) % 2
    mask = np.zeros((1, 6, 6))
    mask[0, :3] = 1
    params = {"method": method, "layer": layer, "n_directions": 2, "random_state": 0}
    clf = correct(network, X, mask, y, **params)
    folded = clf.fold()
    assert list(folded.state_dict()) == list(network.state_dict())
    x = torch.from_numpy(X)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), clf.module_(x), rtol=1e-4, atol=1e-5)
        assert (folded(x) - network(x)).abs().max() > 1e-3


def test_what_has_no_bias_cannot_be_folded():
    X, y = make_data()
    network = nn.Sequential(nn.Identity(), nn.Linear(D, 2, bias=False))
    clf = correct(network, X + 1, MASK, y, method="project", n_directions=1, random_state=0)
    with pytest.raises(ValueError, match="layer must have a bias"):
        clf.fold()


def test_an_estimator_comes_back_with_the_correction_in_its_weights(tmp_path):
    X, y = make_data()
    plain = ERMClassifier(max_epochs=5, random_state=0).fit(X, y)
    before = plain.predict_proba(X)
    clf = correct(plain, X, MASK, y, method="project", n_directions=1, random_state=0)
    back = clf.to_estimator()
    assert type(back) is ERMClassifier
    np.testing.assert_allclose(back.predict_proba(X), clf.predict_proba(X), atol=1e-5)
    assert not np.allclose(back.predict_proba(X), before, atol=1e-3)
    np.testing.assert_array_equal(plain.predict_proba(X), before)
    with pytest.raises(TypeError, match=r"CorrectedClassifier its to_estimator\(\)"):
        save(clf, tmp_path / "model.safetensors")
    with pytest.raises(TypeError, match=r"no torch module here; see fold\(\)"):
        correct(plain.module_, X, MASK, method="project", n_directions=1).to_estimator()
