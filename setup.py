"""Builds the compiled walk of the EXI codec. Without a C compiler or Cython the package installs all the same, and runs in pure Python."""

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:
    EXTENSIONS = []
else:
    EXTENSIONS = cythonize([Extension("v2g.exi._walk", ["v2g/exi/_walk.pyx"], extra_compile_args=["-O3"])], build_dir="build")
    for extension in EXTENSIONS:
        extension.optional = True  # said to Extension above, cythonize would forget it

setup(ext_modules=EXTENSIONS)
