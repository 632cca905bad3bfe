"""The trainer. Reads shards through `segprep.datasets`; knows nothing of how they were made.

Four files are enough to know how it learns: `reading/reader.py` (batches from shards), `network/segmenter.py` (what is
trained), `learning/step.py` (one step of the optimizer) and `learning/loop.py` (a run: steps, validations, saving).
"""
