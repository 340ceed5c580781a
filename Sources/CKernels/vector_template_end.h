/* Takes back what vector_template.h defined, before the next path is compiled. */
#undef vf
#undef vi
#undef vd
#undef vload
#undef vstore
#undef vload_part
#undef vstore_part
#undef vselect
#undef vmax
#undef vmin
#undef vexp
#undef vsigmoid
#undef velu
#undef vsoftplus
#undef vactivate
#undef vactivation_gradient
