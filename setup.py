"""Builds the compiled walk of the EXI codec. Without a C compiler or Cython the package installs all the same, and runs in pure Python.

V2GKIT_PURE=1 leaves the compiled walk out on purpose: the wheel that fits every system.
"""

import os

from setuptools import Extension, setup

try:
    if os.environ.get("V2GKIT_PURE"):
        raise ImportError
    from Cython.Build import cythonize
except ImportError:
    EXTENSIONS = []
else:
    EXTENSIONS = cythonize([Extension("v2g.exi._walk", ["v2g/exi/_walk.pyx"], extra_compile_args=["-O3"])], build_dir="build")
    for extension in EXTENSIONS:
        # a compiler is not demanded, except by who builds wheels for others; said to Extension above, cythonize would forget it
        extension.optional = not os.environ.get("V2GKIT_COMPILED")

setup(ext_modules=EXTENSIONS)
