"""A bundle is loaded as it was saved, or refused with the name of what is wrong."""

import hashlib
import json

import numpy as np
import pytest
import torch
from tiny_recipe import HEAT, RUBRIC, bundle, recipe

from overread.inference import Bundle, BundleError, rubric_from_json, rubric_to_json


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved bundle's folder and hash."""
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    return folder, bundle().save(folder)


@pytest.fixture
def copy(saved, tmp_path):
    """A copy that a test may damage."""
    target = tmp_path / "copy"
    for path in saved[0].rglob("*"):
        if path.is_file():
            place = target / path.relative_to(saved[0])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return target


def resealed(folder, change):
    """Change bundle.json and make its own hash fit again."""
    path = folder / "bundle.json"
    index = json.loads(path.read_text())
    change(index)
    rest = {name: value for name, value in index.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    index["hash"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(index))


def test_bundle_comes_back(saved):
    """Recipe, rubric, weights, card and hash survive the disk; networks answer the same."""
    folder, digest = saved
    before, after = bundle(), Bundle.load(folder)

    assert digest == after.hash
    assert before.recipe.model_dump(mode="json") == after.recipe.model_dump(mode="json")
    assert before.rubric == after.rubric
    assert after.card["studies"] == 2
    assert after.folds == (0, 1)
    image = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for fold in (0, 1):
        here, there = (one.locator_networks("discs", fold)[0](image) for one in (before, after))
        assert torch.equal(here, there)


def test_same_content_has_the_same_hash(saved, tmp_path):
    """Saving twice gives the same files and the same hash."""
    assert saved[1] == bundle().save(tmp_path / "again")


def test_existing_folder_is_not_overwritten(saved):
    """Saving over something is refused."""
    with pytest.raises(BundleError, match="not empty"):
        bundle().save(saved[0])


def test_joiners_come_back(tmp_path):
    """What ensembles learnt is kept as arrays."""
    ensembles = {"both": {"use": "mean", "of": ["wide", "sided"]}}
    whole = bundle(ensembles=ensembles)
    arrays = {"temperature": np.array([1.5, 2.5])}
    Bundle(whole.recipe, RUBRIC, whole.locators, whole.members, {"both": arrays}).save(
        tmp_path / "b"
    )

    found = Bundle.load(tmp_path / "b").joiners

    assert found["both"]["temperature"].tolist() == [1.5, 2.5]


def test_changed_weights_are_refused(copy):
    """One changed byte is found, and the file named."""
    path = copy / "networks" / "member-wide-0.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    with pytest.raises(BundleError, match=r"member-wide-0\.safetensors was changed"):
        Bundle.load(copy)


def test_missing_and_extra_files_are_refused(copy):
    """Files that are gone or do not belong are named."""
    (copy / "networks" / "evil.py").write_text("import os")
    with pytest.raises(BundleError, match=r"evil\.py does not belong"):
        Bundle.load(copy)
    (copy / "networks" / "evil.py").unlink()
    (copy / "networks" / "locator-discs-1.safetensors").unlink()
    with pytest.raises(BundleError, match=r"locator-discs-1\.safetensors is missing"):
        Bundle.load(copy)


def test_changed_recipe_is_refused(copy):
    """bundle.json vouches for itself."""
    path = copy / "bundle.json"
    path.write_text(path.read_text().replace('"final": "wide"', '"final": "sided"'))

    with pytest.raises(BundleError, match=r"bundle\.json was changed"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("name", "words"),
    [("networks/a.pt", "files only"), ("../out.safetensors", "files only")],
)
def test_other_kinds_of_files_are_refused(copy, name, words):
    """Only safetensors files inside the folder may be listed, even by a resealed index."""
    resealed(copy, lambda index: index["files"].update({name: "0" * 64}))

    with pytest.raises(BundleError, match=words):
        Bundle.load(copy)


def test_pickle_in_disguise_is_refused(copy):
    """A file with the right name and hash but other content is not unpickled."""
    path = copy / "networks" / "member-wide-0.safetensors"
    torch.save({"weight": torch.zeros(2)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    resealed(copy, lambda index: index["files"].update({path.relative_to(copy).as_posix(): digest}))

    with pytest.raises(BundleError, match="not a readable safetensors"):
        Bundle.load(copy)


def test_unknown_format_is_refused(copy):
    """A later format is told as such."""
    resealed(copy, lambda index: index.update({"format": 99}))

    with pytest.raises(BundleError, match="format 99"):
        Bundle.load(copy)


def test_not_a_bundle_is_refused(tmp_path):
    """An empty folder and broken JSON are told apart from bundles."""
    with pytest.raises(BundleError, match=r"bundle\.json is missing"):
        Bundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="not readable JSON"):
        Bundle.load(tmp_path)


def test_weights_of_another_network_are_refused(tmp_path):
    """Weights that do not fit the recipe's network are told when networks are built."""
    whole = bundle()
    other = {**whole.locators, "discs": whole.locators["canal"]}
    wrong = Bundle(whole.recipe, RUBRIC, other, whole.members)

    with pytest.raises(BundleError, match="do not fit"):
        wrong.locator_networks("discs")


def test_code_outside_overread_needs_trust(tmp_path):
    """A recipe that names a module outside the package is refused until its package is trusted."""
    model = {**HEAT, "use": "my_lab.my_model"}
    locators = {
        name: spec.model_copy(update={"model": type(spec.model).model_validate(model)})
        for name, spec in recipe().locators.items()
    }
    whole = bundle()
    changed = whole.recipe.model_copy(update={"locators": locators})
    Bundle(changed, RUBRIC, whole.locators, whole.members).save(tmp_path / "b")

    with pytest.raises(BundleError, match=r'trusted=\["my_lab"\]'):
        Bundle.load(tmp_path / "b")
    assert (
        Bundle.load(tmp_path / "b", trusted=["my_lab"]).recipe.locators["discs"].model.use
        == "my_lab.my_model"
    )


def test_member_without_network_is_refused():
    """A bundle that lacks a network is refused when it is made."""
    whole = bundle()

    with pytest.raises(BundleError, match="sided"):
        Bundle(whole.recipe, RUBRIC, whole.locators, {"wide": whole.members["wide"]})


def test_rubric_survives_json():
    """The rubric is the same after JSON."""
    assert rubric_from_json(json.loads(json.dumps(rubric_to_json(RUBRIC)))) == RUBRIC
