#!/bin/bash -eu
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes a program of each target, with its seeds, in $OUT.

cd "$SRC/smartrouter"
pip3 install .
export PYTHONPATH=$PWD:$PWD/tests

for folder in fuzz/corpus/*/; do
	name=$(basename "$folder")
	printf 'from fuzz.harness import main\n\nmain("%s")\n' "$name" > "fuzz_$name.py"
	compile_python_fuzzer "fuzz_$name.py" --paths . --paths tests --hidden-import fuzz.targets \
		--collect-data smartrouter --collect-data publicsuffixlist
	zip -q -j "$OUT/fuzz_${name}_seed_corpus.zip" "$folder"*
done
