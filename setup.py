"""Builds the compiled walk of the EXI codec. Without a C compiler or Cython the package installs all the same, and runs in pure Python."""

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:
    EXTENSIONS = []
else:
    WALK = Extension("v2g.exi._walk", ["v2g/exi/_walk.pyx"], extra_compile_args=["-O3"], optional=True)
    EXTENSIONS = cythonize([WALK], build_dir="build")

setup(ext_modules=EXTENSIONS)
