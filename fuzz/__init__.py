"""Hostile input for the codec: the promise it keeps for any octets, accidents that befall valid frames, and a coverage-guided target.

python -m fuzz.mutations --frames 1000000 --seed 15118     accidents by the million, over every schema set
python -m fuzz dc --seconds 300                            atheris looks for new paths through one set
python -m fuzz.machines --steps 1000000                    random steps of station and car in virtual time, every invariant asked
"""
