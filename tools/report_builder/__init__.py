"""The report: one page of accuracy, throughput and hardware cost, side by side.

inputs.py reads what the tools measured, headline.py picks the figures of the first table, plots/
draws (a figure a file), page.py puts it all into templates/.
"""
