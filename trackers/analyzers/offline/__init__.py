"""The built-in analyzer: runs on a CPU, without a network and without a language model.

It ranks the passages of a conversation by how much they resemble the question and the example
phrases, and quotes the best. It does not understand negation, sarcasm or who agreed to what.

Note [Same findings everywhere]
    A finding is a function of (conversation, question, calibration), whatever else is analyzed
    with it, in any order and in any process. Three habits keep that true. Everything learned from
    a corpus is fitted once, rounded and stored in the calibration. Products of vectors are summed
    row by row, never by a BLAS call whose rounding depends on the shape of the batch. Scores are
    rounded before they are compared or ordered.

Note [Nothing is learned from labels here]
    A calibration sees texts only. What was learned from labeled conversations is a handful of
    coefficients per kind of conversation, in ``shipped.json``; ``training`` makes that file.
"""
